"""Writes what the benchmarks read into a folder: inputs.py FOLDER ADDRESS-OF-THE-SERVER"""

import pathlib
import sys

folder, server = pathlib.Path(sys.argv[1]), sys.argv[2]

STEP = """## Step {i} does something worth doing.
step s{i} "The service number {i} is well" {{
  let r = run "systemctl restart app-{i}" timeout 30s
  expect r.status == 0
  expect up: http.get("http://127.0.0.1:{port}/health") within 30s every 1s {{
    .status == 200
    .json["status"] == "ok"
    .time < 2s
  }}
  on-failure {{
    run "journalctl -u app-{i} -n 50"
    retry 1 after 5s
  }}
}}
"""


def steps(size: int) -> str:
    text, i = 'runbook "Benchmark" { language = 1 }\n', 0
    parts = [text]
    while size > 0:
        part = STEP.format(i=i, port=8000 + i % 1000)
        parts.append(part)
        size -= len(part)
        i += 1
    return "".join(parts)


def write(name: str, text: str) -> None:
    (folder / name).write_text(text)


write("fifty.runbook", steps(3 * len(STEP)))
write("1mb.runbook", steps(1_000_000))
write("10mb.runbook", steps(10_000_000))
write("nested.runbook", 'runbook "N" { }\nstep a {\n  expect ' + "(" * 200 + "1" + ")" * 200 + " == 1\n}\n")
write("operands.runbook", 'runbook "N" { }\nstep a {\n  expect ' + " + ".join(["1"] * 10_000) + " == 10000\n}\n")
write("steps.runbook", 'runbook "S" { }\n' + "".join(f'step s{i} {{\n  run "true"\n}}\n' for i in range(1000)))
write("probes.runbook", 'runbook "P" { }\n' + "".join(f'step s{i} {{\n  expect sh("true # {i}").status == 0\n}}\n' for i in range(200)))
write("commands.runbook", 'runbook "C" { }\n' + "".join(f'step s{i} {{\n  run "true # {i}"\n}}\n' for i in range(200)))
write("steps.sh", "set -e\n" + "sh -c true\n" * 1000)
gets = "".join(f'  expect http.get("{server}/{i}").status == 200\n' for i in range(1000))
write("gets.runbook", f'runbook "G" {{ }}\nstep look {{\n{gets}}}\n')
write("gets.hurl", "".join(f"GET {server}/{i}\nHTTP 200\n\n" for i in range(1000)))
