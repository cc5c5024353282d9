if true; then
    echo "no end"
