"""What routes ask for: the settings and the store of the app they run in."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from tunewright.serve.engine.engine import Engine
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store


def _settings(request: Request) -> ServeSettings:
    found: ServeSettings = request.app.state.settings
    return found


def _store(request: Request) -> Store:
    found: Store = request.app.state.store
    return found


def _engine(request: Request) -> Engine:
    found: Engine = request.app.state.engine
    return found


SettingsOfApp = Annotated[ServeSettings, Depends(_settings)]
StoreOfApp = Annotated[Store, Depends(_store)]
EngineOfApp = Annotated[Engine, Depends(_engine)]
