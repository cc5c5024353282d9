#!/usr/bin/env bash
read -r n m
read -r -a steps
squeaky=()
for step in "${steps[@]}"; do squeaky[step]=1; done
a=0 b=0 c=1
for ((step = 1; step <= n; step++)); do
    next=$((squeaky[step] ? 0 : (a + b + c) % 1000000007))
    a=$b b=$c c=$next
done
echo "$c"
