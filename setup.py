"""The one step of a build that pyproject.toml cannot name: configs/ and samples/ go into the
package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithFiles(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # a checkout reads its own
            for name in ("configs", "samples"):
                target = Path(self.build_lib) / "dancepipe" / name
                shutil.copytree(name, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithFiles})
