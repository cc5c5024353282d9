echo "Goodbye!"
