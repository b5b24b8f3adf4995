<?php
// What the applications under PHP share: `php APP.php HOST PORT`, with Debian's packages.
//
// Deadlines are generous and only guard against hanging; what is checked does not depend on the machine's speed.

declare(strict_types=1);
error_reporting(E_ALL);
// Warnings and notices fail the run.
set_error_handler(function (int $kind, string $text, string $file, int $line): bool {
    error_reporting() & $kind && throw new ErrorException($text, 0, E_ERROR, $file, $line);
    return true;
});

const SECONDS = 20;
[, $host, $port] = $argv;
define('HOST', $host);
define('PORT', (int) $port);
define('APP', basename($argv[0], '.php'));

function check(string $what, mixed $got, mixed $wanted): void
{
    if ($got !== $wanted) {
        throw new Exception("$what: wanted " . json_encode($wanted) . ', got ' . json_encode($got));
    }
}

/** `$call` must throw `$kind`, its message beginning with `$text`. */
function raises(string $kind, string $text, callable $call): void
{
    try {
        $call();
    } catch (Throwable $error) {
        check('kind of error', $error instanceof $kind, true);
        check('text of an error', substr($error->getMessage(), 0, strlen($text)), $text);
        return;
    }
    throw new Exception("wanted $kind($text)");
}

/** Tells what has been shown; a section that says nothing has shown nothing. */
function checked(string $what): void
{
    echo APP . ": $what\n";
}

/** Waits until `$call` gives something true, and gives that. */
function until(string $what, callable $call): mixed
{
    $end = microtime(true) + SECONDS;
    while (!($got = $call())) {
        check("in time: $what", microtime(true) < $end, true);
        usleep(20000);
    }
    return $got;
}

/** Runs this program once more for one part of the work; its output and errors are the run's own. */
function start(string ...$arguments): mixed
{
    $process = proc_open([PHP_BINARY, $GLOBALS['argv'][0], HOST, (string) PORT, ...$arguments], [], $_);
    // If the run fails, it does not wait for the others.
    register_shutdown_function(fn() => is_resource($process) && proc_terminate($process, 9));
    return $process;
}

function ended(array $processes): void
{
    foreach ($processes as $process) {
        check('exit code of a process', proc_close($process), 0);
    }
}
