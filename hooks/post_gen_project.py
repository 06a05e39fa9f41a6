"""Says what to type next, and removes the workflow's folders where no workflow was asked for."""

import json
import os
from contextlib import suppress

slug = json.loads({{ cookiecutter.project_slug | tojson | tojson }})
for folder in (os.path.join(".github", "workflows"), ".github"):
    with suppress(OSError):  # not empty: it holds the workflow, or something of the user's
        os.rmdir(folder)
with suppress(OSError):  # nobody listens
    print(f"\nThe experiment is in {slug}. Next:\n\n  cd {slug}")
    print(f"  python -m pip install -e . -c constraints.txt && {slug} train\n", flush=True)
