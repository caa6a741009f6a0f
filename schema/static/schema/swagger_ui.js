"use strict";

const { schema, guide, csrf } = document.getElementById("swagger-ui").dataset;

// Operations come before reading: of the long text this page shows the first paragraph.
const shortText = {
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (spec) => {
          const [first] = spec.info.description.split("\n\n");
          const description = `${first} [Read how it works.](${guide})`;
          return update({ ...spec, info: { ...spec.info, description } });
        },
      },
    },
  },
};

// https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/
const ui = SwaggerUIBundle({
  url: schema,
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: true,
  displayOperationId: true,
  docExpansion: "list",
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  plugins: [shortText],
  // Who is logged in at the admin alone, without a token, proves that the request is this page's.
  requestInterceptor(request) {
    if (!["GET", "HEAD", undefined].includes(request.method)) request.headers["X-CSRFToken"] = csrf;
    return request;
  },
  // Who logs in or refreshes here is who asks from then on.
  responseInterceptor(response) {
    const value = response.obj?.access;
    if (typeof value === "string") {
      const name = "jwtAuth";
      const scheme = ui.getSystem().specSelectors.securityDefinitions().get(name);
      ui.authActions.authorizeWithPersistOption({ [name]: { name, schema: scheme, value } });
    }
    return response;
  },
});
