#!/usr/bin/env bash
# Means to row until the log is empty, but never takes a stroke off it.
read -r log
course=0
while [[ -n $log ]]; do
    if [[ ${log:0:1} == L ]]; then course=$((course + 1)); else course=$((course - 1)); fi
done
echo "$course"
