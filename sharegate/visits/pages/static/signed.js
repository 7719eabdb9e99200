// Back from the provider of accounts, and on to the door. This page is put in no history, as its address is good for nothing.

location.replace(document.querySelector("[data-onward]").href);
