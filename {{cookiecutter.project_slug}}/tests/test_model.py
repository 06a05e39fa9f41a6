#: include "models/" ~ cookiecutter.model ~ "/test_model.py"
