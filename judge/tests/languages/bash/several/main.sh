source "$(dirname "$0")/greet.sh"
read -r name
greet "$name"
