// How the mock reads requests and answers them.

export async function read(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text === "" ? {} : JSON.parse(text);
}

export function json(response, value, status = 200) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

export function fail(response, status, code, message, member = null) {
  json(response, { error: { code, message, member } }, status);
}
