#!/usr/bin/env bash
read -r high
low=1
while ((low < high)); do
    middle=$(((low + high) / 2))
    echo "? $middle"
    read -r left
    echo "? $((middle + 1))"
    read -r right
    if ((left < right)); then low=$((middle + 1)); else high=$middle; fi
done
echo "! $low"
