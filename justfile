# The one front door. `just` alone lists the recipes. Tools come from the environment made by `just setup`.

python := env("HOODY_PYTHON", "python3")
venv := env("HOODY_VENV", ".venv")
bin := venv / "bin"

[private]
default:
    @just --list

# make the environment with everything that development needs
setup:
    {{ python }} -m venv {{ venv }}
    {{ bin }}/pip install --quiet --editable '.[test]'

# run the daemon in the foreground
run:
    {{ bin }}/hoody daemon run

# run the tests; arguments go to pytest
test *args:
    {{ bin }}/python -m pytest {{ args }}

# check format, lint, types and the floors of the house
check:
    {{ bin }}/ruff format --check .
    {{ bin }}/ruff check .
    {{ bin }}/mypy
    {{ bin }}/lint-imports

# format the code and mend what the linter can mend by itself
fmt:
    {{ bin }}/ruff format .
    {{ bin }}/ruff check --fix .

# run the benchmarks: ratios against a floor measured in the same run, and JSON in tests/benchmarks/results
bench *args:
    {{ bin }}/python -m tests.benchmarks {{ args }}

# kill the daemon 50 times while its agents start, stop, crash and write; `just chaos --seed N` repeats a run
chaos *args:
    {{ bin }}/python -m tests.chaos {{ args }}

# let 200 agents end all the time, and see that the daemon does not grow by it
soak *args:
    {{ bin }}/python -m tests.chaos.soak {{ args }}

# write the generated pages: command line, state diagram
docs:
    {{ bin }}/python -m hoody.cli.reference > docs/reference/cli.md
    {{ bin }}/python -m supervisor.units.diagram > docs/unit-machine.md
    {{ bin }}/python -m hoody.schema > supervisor/declared/hoody.schema.json
