#: include "tasks/" ~ cookiecutter.task ~ "/example.py"
