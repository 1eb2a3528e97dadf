"""The one step of a build that pyproject.toml cannot name: configs/ goes into the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # a checkout reads its own configs/
            source, target = Path("configs"), Path(self.build_lib) / "dancepipe" / "configs"
            shutil.copytree(source, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithConfigs})
