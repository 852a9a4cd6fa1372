// The API's document, as a page. Its calls carry the session's CSRF token.
"use strict";

const api = document.getElementById("api");

window.SwaggerUIBundle({
  url: api.dataset.schema,
  domNode: api,
  deepLinking: true,
  requestInterceptor(request) {
    if (new URL(request.url, window.location.href).origin === window.location.origin) {
      request.headers["X-CSRFToken"] = api.dataset.csrf;
    }
    return request;
  },
});
