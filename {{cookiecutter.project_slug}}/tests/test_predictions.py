#: include "tasks/" ~ cookiecutter.task ~ "/test_predictions.py"
