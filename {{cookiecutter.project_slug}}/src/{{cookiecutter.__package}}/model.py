#: include "models/" ~ cookiecutter.model ~ "/model.py"
