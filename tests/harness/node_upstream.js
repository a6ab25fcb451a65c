// An upstream whose parser (llhttp, strict) shares nothing with ours. One line of JSON on standard
// output for each request, when it is over, and for each connection it could not make sense of.
//
// usage: node node_upstream.js PORT
'use strict';
const fs = require('fs');
const http = require('http');

function tell(line) {
  fs.writeSync(1, JSON.stringify(line) + '\n');
}

function serve(request, response) {
  const seen = {method: request.method, url: request.url, version: request.httpVersion,
                headers: request.rawHeaders, bytes: 0, body: '', complete: false};
  request.on('data', (piece) => {
    seen.bytes += piece.length;
    seen.body += piece.toString('latin1');
  });
  request.on('end', () => {
    seen.complete = request.complete;
    seen.trailers = request.rawTrailers;
    tell(seen);
    response.setHeader('Content-Type', 'text/plain');
    response.end('ok');
  });
  request.on('close', () => { if (!seen.complete) tell(seen); });
  request.on('error', () => {});
}

const server = http.createServer({insecureHTTPParser: false, maxHeaderSize: 1 << 18}, serve);
server.on('checkContinue', (request, response) => {
  response.writeContinue();
  serve(request, response);
});
server.on('checkExpectation', serve);
for (const event of ['upgrade', 'connect']) {
  server.on(event, (request, socket) => {
    tell({method: request.method, url: request.url, headers: request.rawHeaders, bytes: 0, body: '',
          switched: event, complete: true});
    socket.destroy();
  });
}
server.on('clientError', (error, socket) => {
  tell({error: error.code, raw: error.rawPacket ? error.rawPacket.toString('latin1') : ''});
  socket.destroy();
});
server.keepAliveTimeout = server.headersTimeout = server.requestTimeout = 0;
server.listen(Number(process.argv[2]), '127.0.0.1');
