#: include "tasks/" ~ cookiecutter.task ~ "/test_targets.py"
