"use strict";

// Redoc shows a logo that it would fetch from its maker. An image of another origin fails here
// before anything is asked, which Redoc takes as a reason to leave it out.
HTMLImageElement.prototype.setAttribute = function (name, value) {
  if (name === "src" && new URL(value, document.baseURI).origin !== location.origin) {
    setTimeout(() => this.dispatchEvent(new Event("error")));
  } else {
    Element.prototype.setAttribute.call(this, name, value);
  }
};
