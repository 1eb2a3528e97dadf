"""The command of the study: its page stays up until Ctrl-C, which is an ordinary end."""

import json
import signal
import subprocess
import sys
import urllib.request

from study_pictures import write_folders

RUN = """
import os, sys
from dancepipe.cli import main
os.chdir(sys.argv[1])
main(["study", "--real", "real", "--fake", "ours=ours", "--port", "0", "--pictures", "2", "--checks", "0"])
print("torch" in sys.modules)
main(["study", "--report"])
"""  # noqa: E501


def post(address, path, **body):
    request = urllib.request.Request(
        address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_ctrl_c_closes_the_page_and_sums_up_and_the_report_finds_the_votes(tmp_path):
    write_folders(tmp_path, 2)
    with subprocess.Popen(
        [sys.executable, "-u", "-c", RUN, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said = []
            for line in process.stderr:
                said.append(line.strip())
                if "the study is at" in line:
                    break
            address = said[-1].split()[4]
            post(address, "start", name="bob")
            token = post(address, "start", name="ann")["volunteer"]
            for number in range(2):
                post(address, "trial", volunteer=token)
                post(
                    address,
                    "vote",
                    volunteer=token,
                    number=number,
                    side="left",
                    response_seconds=1,
                    shown_seconds=1,
                    picture_width_px=1,
                )
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert said == [
        "reading 4 pictures",
        f"the study is at {address} (Ctrl-C closes it; votes are in votes.sqlite)",
    ]
    summed_up, has_torch, report = rest.splitlines()[:3]
    assert (
        errors == "closed; the same command goes on\n"
        and summed_up == "votes.sqlite: 2 votes of 2 volunteers, 1 of them finished"
    )
    assert has_torch == "False" and report == "2 volunteers, 0 not counted, 2 votes counted", (
        "the report is of the same file"
    )
    assert process.returncode == 0
