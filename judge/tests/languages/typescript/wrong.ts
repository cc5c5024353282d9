console.log("Goodbye!");
