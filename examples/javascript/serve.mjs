// Serves watch.html, and passes everything else on to statusquo, so that both have one origin.
//   node serve.mjs URL [PORT]
import { readFile } from "node:fs/promises";
import http from "node:http";
import { pipeline } from "node:stream";

const [url, port = "8000"] = process.argv.slice(2);

http
  .createServer(async (request, response) => {
    if (request.url.split("?")[0] === "/") {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(await readFile(new URL("watch.html", import.meta.url)));
      return;
    }
    const { method, headers } = request;
    const passed = http.request(url + request.url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      // Ends the response where the answer breaks off, so that a browser comes back.
      pipeline(answer, response, () => {});
    });
    passed.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    response.on("close", () => passed.destroy());
    request.pipe(passed);
  })
  .listen(Number(port), "127.0.0.1", function () {
    console.log(`http://127.0.0.1:${this.address().port}/`);
  });
