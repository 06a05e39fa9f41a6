#!/bin/sh
# Watches the GPU while something trains: scripts/gpustat.sh (lesson 11 of the notes). Leave with Ctrl-C.
if command -v gpustat >/dev/null; then
    exec gpustat -cp --watch
elif command -v nvidia-smi >/dev/null && command -v watch >/dev/null; then
    exec watch -n0.1 nvidia-smi
fi
echo "error: there is neither gpustat nor nvidia-smi; on this machine's PATH;" \
    "install an NVIDIA driver and 'pip install gpustat', or watch CPU and memory with htop" >&2
exit 2
