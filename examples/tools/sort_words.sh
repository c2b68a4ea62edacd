#!/bin/sh
# A tool that is run for every call: the input is a line on standard input, what is printed is the result.
read -r words
printf '%s\n' "$words" | tr -s ' ,' '\n\n' | LC_ALL=C sort | tr '\n' ' '
