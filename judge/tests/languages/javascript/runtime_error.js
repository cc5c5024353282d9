undefined.name;
