"use strict";

// What REST framework's page does not tell who reads it by ear or moves by the keyboard.
document.documentElement.lang = "en";
for (const button of document.querySelectorAll(".format-selection .dropdown-toggle")) {
  button.ariaLabel = "Other formats";
}
for (const text of document.querySelectorAll("pre")) text.tabIndex = 0;
