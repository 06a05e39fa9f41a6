"""Says what to type next, and removes the workflow's folders where no workflow was asked for."""

import os
from contextlib import suppress

slug = {{ cookiecutter.project_slug | tojson }}
for folder in (os.path.join(".github", "workflows"), ".github"):
    with suppress(OSError):  # not empty: it holds the workflow, or something of the user's
        os.rmdir(folder)
activate = ".venv\\Scripts\\activate" if os.name == "nt" else ". .venv/bin/activate"
words = f"""
The experiment is in {slug}. Next:

  cd {slug}
  python -m venv .venv && {activate}
  python -m pip install -e . -c constraints.txt && {slug} train

"""
with suppress(OSError):  # nobody listens
    os.write(1, words.encode())  # not print: what it could not write, Python would try again at its end, and fail
