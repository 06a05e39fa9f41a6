#: include "tasks/" ~ cookiecutter.task ~ "/task.py"
