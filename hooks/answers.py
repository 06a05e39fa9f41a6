"""Checks the answers before cookiecutter creates anything, and quotes them for the files they go into.

Cookiecutter makes folders before it runs hooks, so a hook would come too late for a slug such as `../x`. So this is a
Jinja extension: the private variable `__checked` of cookiecutter.json passes every answer through `check_answers`.
"""

import datetime
import gc
import json
import keyword
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

SLUG = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
LONGEST = {"project_name": 100, "project_slug": 50, "description": 300, "author": 200}  # characters
# What the rendered project installs, as constraints.txt has it, and the modules among it that have other names.
CONSTRAINTS = Path(__file__).parents[1] / "{{cookiecutter.project_slug}}" / "constraints.txt"
DEPENDENCIES = set(re.findall(r"^([\w-]+)==", CONSTRAINTS.read_text().lower().replace("-", "_"), re.MULTILINE))
MODULES = {
    "absl", "cuda", "dateutil", "functorch", "google", "gpustat", "grpc", "isympy", "mpl_toolkits", "mypyc", "nvidia",
    "pil", "py", "pylab", "pynvml", "test", "tests", "torchgen", "triton", "yaml",
}  # fmt: skip
# Those of Python itself in some of the versions that the project runs with, which need not be this one.
MODULES |= {
    "aifc", "annotationlib", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "compression", "crypt",
    "distutils", "imghdr", "imp", "lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "smtpd",
    "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib",
}  # fmt: skip
# Its own command would stand before these, or never be reached (words of the shell).
COMMANDS = {
    "activate", "alias", "awk", "bash", "bg", "bind", "break", "builtin", "caller", "case", "cat", "cd", "chmod",
    "clear", "command", "compgen", "complete", "conda", "continue", "coproc", "cp", "curl", "cut", "date",
    "declare", "df", "dirs", "disown", "dmypy", "do", "docker", "done", "du", "echo", "elif", "else", "enable",
    "env", "esac", "eval", "exec", "exit", "export", "f2py", "false", "fc", "fg", "fi", "find", "function", "gcc",
    "getopts", "git", "grep", "gzip", "hash", "hatchling", "head", "help", "history", "install", "ipython", "jobs",
    "jupyter", "kill", "less", "let", "ln", "local", "logout", "ls", "make", "man", "mapfile", "mkdir", "mount",
    "mv", "nano", "nohup", "nox", "numpy_config", "nvidia_smi", "pip", "pip3", "pipx", "popd", "printf", "ps",
    "pushd", "pwd", "pyftmerge", "pyftsubset", "pygmentize", "python", "python3", "read", "readarray", "readonly",
    "return", "rm", "rmdir", "rsync", "sbatch", "scontrol", "scp", "screen", "sed", "set", "setuptools", "sh",
    "shift", "shopt", "sklearn", "sleep", "sort", "source", "squeue", "srun", "ssh", "stubgen", "stubtest", "su",
    "sudo", "suspend", "tail", "tar", "tee", "tensorflow", "then", "times", "tmux", "top", "torchfrtrace",
    "torchrun", "touch", "trap", "true", "ttx", "type", "typeset", "ulimit", "umask", "unalias", "uname", "uniq",
    "unset", "until", "unzip", "uv", "uvx", "vim", "wait", "watch", "wc", "wget", "which", "xargs", "zip",
}  # fmt: skip
# Which models return what a task needs: numbers at each position of a sample, or one row of numbers for all of it.
DENSE = ["unet"]
ONE_ROW = ["cnn", "mlp", "alexnet", "resnet", "vit"]
MODELS = {
    "classification": ONE_ROW,
    "multilabel": ONE_ROW,
    "regression": ONE_ROW,
    "segmentation": DENSE,
    "image_to_image": DENSE,
}
DEVICES = {"aux", "con", "nul", "prn", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}


def check_answers(answers: Mapping[str, str]) -> str:
    """Refuse impossible answers in one sentence; return "yes" for the others."""
    for question, longest in LONGEST.items():
        answer = str(answers[question] or "")
        if not answer.strip() or len(answer) > longest:
            refuse(question, answer, f"it must have between 1 and {longest} characters")
        if not answer.isprintable():  # line breaks, control characters, half an emoji
            refuse(question, answer, "it must be one line of printable characters")
    slug = answers["project_slug"]
    package = slug.replace("-", "_")
    if not SLUG.fullmatch(slug):
        refuse("project_slug", slug, "use lowercase letters, digits and single hyphens, a letter first: my-experiment")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names:
        refuse("project_slug", slug, f"Python itself uses that name; add a word: {slug}-experiment")
    if package in DEPENDENCIES | MODULES | COMMANDS | DEVICES:
        refuse("project_slug", slug, f"a package, a command or a device has that name; add a word: {slug}-experiment")
    task, model = answers["task"], answers["model"]
    if model not in MODELS[task]:
        refuse("model", model, f"for {task}, choose one of: {', '.join(MODELS[task])}")
    return "yes"


def refuse(question: str, answer: str, rule: str) -> None:
    """End cookiecutter with one line and exit code 1; nothing has been created yet."""
    raise FailedHookException(f"error: {question} cannot be {shorten(ascii(answer))}; {rule}.")


def shorten(text: str, longest: int = 60) -> str:
    """Cut a text that would flood the terminal."""
    return text if len(text) <= longest else text[: longest - 4] + "..." + text[-1]


def toml(text: str) -> str:
    """Quote a text as a TOML basic string: `tojson` would turn emoji into surrogates, which TOML rejects."""
    return json.dumps(text, ensure_ascii=False)


class Answers(Extension):
    """Makes `check_answers`, `toml` and `year` known to the templates (`_extensions` in cookiecutter.json)."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        for name in (__name__, "hooks"):  # `cruft update` renders two versions in one process: each brings its own
            sys.modules.pop(name, None)
        gc.freeze()  # or what is imported is searched for garbage again and again, a tenth of the time of a render
        environment.filters["check_answers"] = check_answers
        environment.filters["toml"] = toml
        environment.filters["year"] = lambda _: str(datetime.date.today().year)
