// rehearsal - what a process does that was started ahead of its function: one event, from the
// handler's name to the answer, with a Runtime API of its own. What node loads and compiles on the
// way (4 ms of 8) is then there when it counts.
'use strict';

const net = require('node:net');

// The function that is rehearsed.
exports.handler = async (event) => event;

const EVENT =
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: rehearsal\r\n' +
  'Lambda-Runtime-Deadline-Ms: 0\r\nContent-Length: 7\r\n\r\n{"a":1}';
const ACCEPTED = 'HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}';

// `perform(address, folder)` begins the loop of a runtime and returns what ends it.
exports.rehearse = (perform) =>
  new Promise((resolve) => {
    let finish;
    let begun = false;
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => {
        if (String(data).startsWith('POST')) {
          socket.write(ACCEPTED);
          setImmediate(() => {
            finish();
            socket.destroy();
            server.close(resolve);
          });
        } else if (!begun) {
          begun = true;
          socket.write(EVENT);
        }
      });
    });
    server.on('error', resolve); // without a network there is no rehearsal, and no harm
    server.listen(0, '127.0.0.1', () => {
      finish = perform(`127.0.0.1:${server.address().port}`, __dirname);
    });
  });
