"""How Jupyter starts a kernel while `qrlib.forking.server` runs; an entry point in pyproject.toml."""

from __future__ import annotations

import sys
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner


class ForkedProvisioner(LocalProvisioner):
    """A local kernel whose imports are done: `qrlib.forking` stands for its process."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Launch the kernel that `cmd` would start."""
        client = [sys.executable, "-m", "qrlib.forking"]
        return await super().launch_kernel([*client, *cmd], **kwargs)
