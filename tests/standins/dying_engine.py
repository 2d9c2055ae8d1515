"""An engine that takes its process with it, as a plug-in that crashes does."""

import os
import signal

from deepdiva.synths.diva.panel_renderer import PanelRenderer


class DyingEngine(PanelRenderer):
    """Dies when it is to play; only for worker processes."""

    def render(self, *_):
        os.kill(os.getpid(), signal.SIGKILL)
