#!/usr/bin/env bash
# One read for each thread: right, but a big log takes minutes.
declare -A count
while IFS= read -r -n 1 letter && [[ -n $letter ]]; do
    count[$letter]=$((${count[$letter]:-0} + 1))
done
best=
for letter in {a..z}; do
    [[ -n ${count[$letter]:-} ]] || continue
    if [[ -z $best ]] || ((count[$letter] < count[$best])); then best=$letter; fi
done
echo "$best ${count[$best]}"
