select 'Hello, ' || line || '!' from input;
