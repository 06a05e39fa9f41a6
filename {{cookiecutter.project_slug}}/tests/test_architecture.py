#: include "models/" ~ cookiecutter.model ~ "/test_architecture.py"
