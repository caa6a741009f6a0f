"use strict";

// Redoc shows a logo that it would fetch from its maker. An image of another origin fails here
// before anything is asked, which Redoc takes as a reason to leave it out. Its library sets the
// address in both of the ways that there are.
{
  const image = HTMLImageElement.prototype;
  const src = Object.getOwnPropertyDescriptor(image, "src");
  const isForeign = (url) => {
    const { origin, protocol } = new URL(url, document.baseURI);
    return origin !== location.origin && protocol !== "data:";
  };
  const fail = (element) => setTimeout(() => element.dispatchEvent(new Event("error")));

  image.setAttribute = function (name, value) {
    if (name === "src" && isForeign(value)) fail(this);
    else Element.prototype.setAttribute.call(this, name, value);
  };
  Object.defineProperty(image, "src", {
    ...src,
    set(value) {
      if (isForeign(value)) fail(this);
      else src.set.call(this, value);
    },
  });
}
