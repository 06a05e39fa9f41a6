#: include "tasks/" ~ cookiecutter.task ~ "/figures.py"
