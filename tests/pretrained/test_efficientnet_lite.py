"""EfficientNet-Lite0 as Transformers' EfficientNet: the same states, and gates that stay open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModel

from tunewright.backends.torch.from_lite import convert
from tunewright.errors import ModelError
from tunewright.pretrained.efficientnet_lite import make_lite0
from tunewright.pretrained.folder import check_folder

pytestmark = pytest.mark.usefixtures("one_thread")
STAGES = (  # repeats, kernel, stride, expansion, channels
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)


class Same(nn.Conv2d):
    """A convolution padded as TensorFlow pads it."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        sides = []
        for size, kernel, stride in zip(
            states.shape[:1:-1], self.kernel_size, self.stride, strict=True
        ):
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [missing // 2, missing - missing // 2]
        return functional.conv2d(
            functional.pad(states, sides), self.weight, None, self.stride, 0, 1, self.groups
        )


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Expand, filter each channel, project; with the input where the shape allows it."""

    def __init__(self, given: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = given * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = Same(given, wide, 1, bias=False), norm(wide)
        self._depthwise_conv = Same(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = norm(wide)
        self._project_conv, self._bn2 = Same(wide, out, 1, bias=False), norm(out)
        self.adds = stride == 1 and given == out

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        inner = states
        if hasattr(self, "_bn0"):
            inner = functional.relu6(self._bn0(self._expand_conv(states)))
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return inner + states if self.adds else inner


class Lite0(nn.Module):
    """As it was published, with the names that the file has."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
        blocks, width = [], 32
        for repeats, kernel, stride, expansion, out in STAGES:
            for number in range(repeats):
                blocks.append(Block(width, out, kernel, 1 if number else stride, expansion))
                width = out
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = Same(320, 1280, 1, bias=False), norm(1280)
        self._fc = nn.Linear(1280, 10)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        states = functional.relu6(self._bn0(self._conv_stem(pictures)))
        for block in self._blocks:
            states = block(states)
        return functional.relu6(self._bn1(self._conv_head(states))).mean((2, 3))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lite0, Path]:
    """The model with weights by chance, and its file."""
    torch.manual_seed(0)
    model = Lite0().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.2, 0.5)
    path = tmp_path_factory.mktemp("lite") / "lite0.pth"
    torch.save(model.state_dict(), path)
    return model, path


def test_the_folder_computes_what_the_published_model_does_and_its_gates_do_not_learn(
    published: tuple[Lite0, Path], tmp_path: Path
) -> None:
    model, path = published
    convert(path, tmp_path / "made")
    made = AutoModel.from_pretrained(tmp_path / "made")
    pictures = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        apart = (made(pictures).pooler_output - model(pictures)).abs().max()
        scale = model(pictures).std()
    assert scale > 0.01
    assert apart < 1e-5 * max(1.0, float(scale))
    made.train()
    made(pictures).pooler_output.square().sum().backward()
    gates = {name: p for name, p in made.named_parameters() if "squeeze_excite" in name}
    assert len(gates) == 4 * 16
    assert all(not p.grad.any() for p in gates.values())
    assert sum(p.numel() for p in gates.values()) < 0.02 * sum(p.numel() for p in made.parameters())


def test_a_file_of_something_else_is_refused_by_its_own_process(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(2)}, tmp_path / "x.pth")
    (tmp_path / "made").mkdir()
    with pytest.raises(ModelError, match="does not hold the weights of EfficientNet-Lite0"):
        make_lite0(tmp_path / "x.pth", tmp_path / "made")


def test_values_are_scaled_as_the_model_wants_them(
    published: tuple[Lite0, Path], tmp_path: Path
) -> None:
    make_lite0(published[1], tmp_path)
    assert check_folder(tmp_path).config["model_type"] == "efficientnet"
    said = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert (said["image_mean"][0], said["image_std"][0], said["rescale_factor"]) == (127, 128, 1)
