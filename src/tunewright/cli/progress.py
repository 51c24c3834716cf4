"""What a person sees while a run goes on: one live line per stage, plain lines in a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from tunewright.evaluation.shown import bounds, in_percent, number, pace, word

if TYPE_CHECKING:
    from tunewright.finished import FinishedRun

PLAIN_EVERY_S = 10.0
SHOWN_FINDINGS = 5
SHOWN_THRESHOLDS = 5
TOLD_PREFERENCES = ("preference_accuracy", "reward_margin")
TOLD_ANSWERS = ("format_rate", "number_match", "json_equal", "tool_calls", "rougeL")


def _score(name: str, found: dict[str, Any]) -> str:
    """Such as "21.3 % [18.0, 25.1]"."""
    unit = " %" if in_percent(name) else ""
    return f"{number(name, found['value'])}{unit} {bounds(name, found['low'], found['high'])}"


def _before_and_after(name: str, scores: dict[str, Any], rows: int) -> str:
    """Such as "ROUGE-L 21.3 % [18.0, 25.1] before, 35.0 % [30.2, 39.9] after, on 16 answers"."""
    before, after = (_score(name, scores[which]) for which in ("base", "tuned"))
    return f"{word(name)} {before} before, {after} after, on {rows} answers"


class Progress:
    """Listens to a run's events and shows them on stderr."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.bars = Bars(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[facts]}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.bar: Any = None
        self.metric = ""
        self.validation = ""
        self.last_plain = 0.0

    def __enter__(self) -> Progress:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def on_event(self, event: dict[str, Any]) -> None:
        """Show one event; kinds that nobody needs to see are passed over."""
        show = getattr(self, f"_on_{event['event']}", None)
        if show is not None:
            show(event)

    def farewell(self, finished: FinishedRun) -> None:
        """The verdict and the paths, on stdout."""
        out = Console(highlight=False, soft_wrap=True)
        if not (finished.folder / "result.json").exists():
            out.print(f"stopped as asked; the run is {escape(str(finished.folder))}")
            return
        result = finished.result
        out.print()
        out.print(f"[bold]{escape(result['verdict']['sentence'])}[/bold]")
        judged = result["test"] or result["validation"] or {}
        if told := [
            f"{word(each)} {_score(each, judged[each])}"
            for each in TOLD_PREFERENCES
            if each in judged
        ]:
            out.print(escape(", ".join(told)))
        for name, scores in (result.get("answers") or {}).get("metrics", {}).items():
            if name in TOLD_ANSWERS:
                out.print(escape(_before_and_after(name, scores, result["answers"]["rows"])))
        out.print(f"model   {escape(str(finished.model))}")
        out.print(f"report  {escape(str(finished.report))}")
        if result["test"] is None:
            out.print(f"the test part is still sealed: tunewright test {finished.folder.name}")

    def _on_verdict(self, event: dict[str, Any]) -> None:
        for each in event.get("advice", ()):
            self._line("next", f"{each['what']}: {each['evidence']}")

    def _line(self, stage: str, text: str, style: str = "") -> None:
        self.console.print(f"[bold]{stage:<9}[/bold] [{style or 'default'}]{escape(text)}[/]")

    def _on_chosen(self, event: dict[str, Any]) -> None:
        self._line("choose", f"{event['base']}")

    def _on_prepared(self, event: dict[str, Any]) -> None:
        rows = event["rows"]
        self._line(
            "prepare",
            f"{rows['train']:,} rows to train on, {rows['validation']:,} to validate, "
            f"{rows['test']:,} sealed; "
            + (f"{event['labels']} labels; " if event["labels"] else "")
            + f"split: {event['split_by']}",
        )
        out = (("left_out", "left out"), ("excluded", "excluded by the list"))
        told = [f"{event[key]:,} {words}" for key, words in out if event[key]]
        if event["near_apart"]:
            told.append(f"{event['near_apart']:,} near copies of rows in another part")
        if told:
            self._line("", f"rows: {', '.join(told)}")
        self._findings(event)

    def _findings(self, event: dict[str, Any]) -> None:
        for finding in event["findings"][:SHOWN_FINDINGS]:
            if finding["severity"] != "note":
                self._line("", f"{finding['code']}: {finding['message']}", "yellow")

    def _on_suspected(self, event: dict[str, Any]) -> None:
        self._line("", f"rows looked at with the model ({event['seconds']:.1f} s)")
        self._findings(event)

    def _on_adapted(self, event: dict[str, Any]) -> None:
        self._line("adapt", event["news"])
        chosen = {key: value for key, value, _ in event["choices"]}
        self.metric = chosen["evaluate.metric"]
        shown = ("max_length", "batch_size", "learning_rate", "epochs", "precision")
        told = [key for key in shown if chosen.get(f"train.{key}") is not None]
        self._line("", ", ".join(f"{key} {chosen[f'train.{key}']}" for key in told))

    def _on_calibrated(self, event: dict[str, Any]) -> None:
        if event["temperature"] != 1:
            self._line(
                "train", f"scores are divided by a temperature of {event['temperature']:.2f}"
            )

    def _on_thresholds(self, event: dict[str, Any]) -> None:
        few = list(event["thresholds"].items())[:SHOWN_THRESHOLDS]
        shown = ", ".join(f"{label} from {limit:.2f}" for label, limit in few)
        more = len(event["thresholds"]) - len(few)
        self._line("train", f"labels are answered: {shown}" + (f" and {more} more" * (more > 0)))

    def _on_augmented(self, event: dict[str, Any]) -> None:
        self._line(
            "",
            f"{event['changed']:,} of {event['rows']:,} training rows are also shown changed, in "
            f"{event['views'] - 1} ways each",
        )

    def _on_writing(self, event: dict[str, Any]) -> None:
        self._line("evaluate", f"base and tuned model answer {event['rows']} validation rows")

    def _on_forgetting(self, event: dict[str, Any]) -> None:
        if event["matters"]:
            self._line("", event["sentence"], "yellow")

    def _on_resumed(self, event: dict[str, Any]) -> None:
        self._line("train", f"goes on at step {event['step']}")

    def _on_checkpoint_damaged(self, event: dict[str, Any]) -> None:
        self._line(
            "train", f"checkpoint {event['checkpoint']} is damaged: it is not used", "yellow"
        )

    def _on_begun_anew(self, event: dict[str, Any]) -> None:
        self._line("train", f"{event['reason']}: training begins anew", "yellow")

    def _on_not_finite(self, event: dict[str, Any]) -> None:
        if event["skipped"]:
            what = f"the {event['what']} is not a finite number at step {event['step']}"
            self._line("", f"{what}: the batch is skipped, {event['places']}", "yellow")

    def _on_interrupted(self, event: dict[str, Any]) -> None:
        self._line("", f"stopped; to go on: tunewright run --resume {event['run']}")

    def _on_head_solved(self, event: dict[str, Any]) -> None:
        self._line("train", f"the head starts from a linear probe ({event['seconds']:.1f} s)")

    def _on_phase_started(self, event: dict[str, Any]) -> None:
        if not event["steps"]:
            return
        cached = f", {event['reason']}" if event["cached"] else ""
        rate = event["learning_rate" if event["blocks"] else "head_learning_rate"]
        self._line(
            "",
            f"{event['name']}: {event['trainable_parameters']:,} weights learn at {rate:g}{cached}",
        )
        self.bar = self.bars.add_task(event["name"], total=event["steps"], facts="")

    def _on_steps(self, event: dict[str, Any]) -> None:
        if "rows_per_s" not in event:  # of a service, which tells less
            self._of_service(event)
            return
        facts = (
            f"loss {event['loss']:.3f}{self.validation}  lr {event['learning_rate']:.1e}  "
            f"{pace(event['rows_per_s'])}"
        )
        if self.bar is not None and self.console.is_terminal:
            self.bars.update(self.bar, completed=event["phase_step"], facts=facts)
        elif time.monotonic() - self.last_plain > PLAIN_EVERY_S:
            self.last_plain = time.monotonic()
            done = f"step {event['phase_step']} of {event['phase_steps']}"
            self._line("", f"{event['phase']}: {done}, {facts}, {event['left_s']:.0f} s left")

    _on_steps_so_far = _on_steps

    def _on_evaluated(self, event: dict[str, Any]) -> None:
        if self.metric not in event["scores"]:  # a service has its own
            return
        score = f"validation {word(self.metric)} {event['scores'][self.metric]:.4f}"
        self.validation = f"  {score}"
        mark = "  (kept)" if event["best"] else ""
        self._line("", f"step {event['step']}: {score}{mark}")

    def _on_phase_ended(self, event: dict[str, Any]) -> None:
        if self.bar is not None:
            self.bars.remove_task(self.bar)
            self.bar = None
        if event["rows_per_s"]:
            epochs = "epoch" if event["epochs"] == 1 else "epochs"
            self._line(
                "",
                f"{event['name']}: {event['epochs']:g} {epochs} in {event['wall_s']:.0f} s at "
                f"{pace(event['rows_per_s'])}; best at step {event['best_step']}",
            )

    def _of_service(self, event: dict[str, Any]) -> None:
        if time.monotonic() - self.last_plain > PLAIN_EVERY_S:
            self.last_plain = time.monotonic()
            steps = f" of {event['phase_steps']}" if event["phase_steps"] else ""
            self._line("", f"step {event['step']}{steps}, loss {event['loss']:.3f}")

    def _on_cost(self, event: dict[str, Any]) -> None:
        tokens = f"{event['trained_tokens']:,} tokens to train"
        if event["dollars"] is None:
            self._line("", f"{tokens}; {event['prices']}", "yellow")
            return
        self._line(
            "",
            f"about ${event['dollars']:,.2f} at most: ${event['training']:,.2f} for {tokens}, "
            f"${event['answers']:,.2f} for answers, by {event['prices']}",
        )

    def _on_job(self, event: dict[str, Any]) -> None:
        self._line("train", f"job {event['id']} at {event['host']}")

    def _on_job_state(self, event: dict[str, Any]) -> None:
        waits = event["status"] in ("queued", "paused", "pausing")
        until = f", waited for until {event['waits_until']}" if waits else ""
        self._line("", f"{event['status']}{until}")

    def _on_job_waiting(self, event: dict[str, Any]) -> None:
        self._line("", f"still {event['status']}", "yellow")

    def _on_job_event(self, event: dict[str, Any]) -> None:
        if event["level"] != "info":
            self._line("", event["message"], "yellow")

    def _on_job_left(self, event: dict[str, Any]) -> None:
        self._line("", f"job {event['id']} goes on at {event['host']}, and costs", "yellow")

    def _on_taken_back(self, event: dict[str, Any]) -> None:
        if event["left"] is None:
            self._line("", f"{event['file']} ({event['part']}) is deleted at {event['host']}")
            return
        told = f"{event['file']} ({event['part']}) is still at {event['host']}: {event['left']}"
        self._line("", f"{told}; delete it there", "yellow")

    def _on_service_waits(self, event: dict[str, Any]) -> None:
        self._line("", f"{event['why']}; again in {event['seconds']:.0f} s", "yellow")

    def _on_stage(self, event: dict[str, Any]) -> None:
        if event["stage"] in ("evaluate", "test"):
            self._line(
                event["stage"],
                "opening the seal; this look is written down"
                if event["stage"] == "test"
                else "scores with intervals, beside the baselines",
            )
