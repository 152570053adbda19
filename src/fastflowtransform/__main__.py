"""`python -m fastflowtransform` is `fft`."""

from fastflowtransform.cli import main

main()
