"""How Jupyter starts a kernel while `qrlib.workflow.kernel_server.server` runs; an entry point in pyproject.toml."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from qrlib.workflow import kernel_server


class ForkedProvisioner(LocalProvisioner):
    """A local kernel whose imports are done: `qrlib.workflow.kernel_server` stands for its process.

    It is spoken to through sockets in the server's folder.  Jupyter's own way, ports that were free a
    moment ago, lets another kernel that starts at that moment take them; then one of both fails.
    """

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Choose where the kernel listens."""
        manager = self.parent
        known = kernel_server.SOCKET in os.environ
        if manager is not None and known and manager.transport == "tcp":  # and is not started again
            folder = os.path.dirname(os.environ[kernel_server.SOCKET])  # goes away with the server
            manager.transport, manager.cache_ports = "ipc", False
            manager.ip = os.path.join(tempfile.mkdtemp(prefix="", dir=folder), "kernel")
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Launch the kernel that `cmd` would start."""
        client = [sys.executable, "-m", "qrlib.workflow.kernel_server"]
        return await super().launch_kernel([*client, *cmd], **kwargs)
