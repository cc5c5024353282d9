select 'Goodbye!';
