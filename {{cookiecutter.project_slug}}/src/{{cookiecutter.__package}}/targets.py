#: include "tasks/" ~ cookiecutter.task ~ "/targets.py"
