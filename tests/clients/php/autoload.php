<?php
// Does what Composer's does with the client in `client/`, and Debian's Guzzle.
require 'GuzzleHttp/autoload.php';

spl_autoload_register(function (string $class): void {
    $prefix = 'OpenAPI\\Client\\';
    if (str_starts_with($class, $prefix)) {
        $path = strtr(substr($class, strlen($prefix)), '\\', '/');
        require dirname(__DIR__) . "/client/lib/$path.php";
    }
});
