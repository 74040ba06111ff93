const message = require('./message');
require('http').createServer((request, answer) => answer.end(message)).listen(process.env.PORT, '127.0.0.1');
