# A volume, log and authorization plugin in plain Perl, run as a managed plugin: each volume is a tmpfs below the propagated mount.
use strict;
use warnings;
use IO::Socket::UNIX;

my $kinds_socket = '/run/docker/plugins/demo.sock';
my $mounts       = '/data/mounts';
my $books        = '/data/mounts/.books';
$| = 1;
$SIG{TERM} = sub { print "asked to end\n"; exit 0 };
$SIG{CHLD} = 'IGNORE';

die "told to fail\n" if ($ENV{FAIL} // '') eq 'start';
print "demo $ENV{VERSION} args: @ARGV\n";
print STDERR "a word on standard error\n";
mkdir $books;
unlink $kinds_socket;
my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM(), Local => $kinds_socket, Listen => 64) or die "listen: $!";

sub books { opendir my $in, $books or return; grep { !/^\./ } readdir $in }
sub known { my $name = shift; defined $name && -e "$books/$name" }
sub volume { my $name = shift; qq({"Name":"$name","Mountpoint":"$mounts/$name","Status":{"version":"$ENV{VERSION}"}}) }
sub touch { my ($path, $text) = @_; open my $file, '>', $path or return; print $file $text // ''; close $file }

sub log_pump {
    my ($fifo) = @_;
    return if fork;
    open my $in, '<', $fifo or exit 1;
    open my $out, '>>', "$mounts/log" or exit 1;
    binmode $in;
    select((select($out), $| = 1)[0]);
    while (read($in, my $head, 4) == 4) {
        my $left = unpack 'N', $head;
        my $entry = '';
        while ($left > 0 and (my $got = read($in, $entry, $left, length $entry))) { $left -= $got }
        print $out "[$entry]\n";
    }
    exit 0;
}

sub answer {
    my ($method, $body) = @_;
    my ($name) = $body =~ /"Name":"([^"]*)"/;
    my ($file) = $body =~ /"File":"([^"]*)"/;
    return '{"Implements":["VolumeDriver","LogDriver"]}' if $method eq 'Plugin.Activate';
    return '{"Capabilities":{"Scope":"local"}}' if $method eq 'VolumeDriver.Capabilities';
    if ($method eq 'VolumeDriver.Create') { touch("$books/$name"); return '{"Err":""}' }
    if ($method eq 'VolumeDriver.Remove') { unlink "$books/$name"; return '{"Err":""}' }
    if ($method eq 'VolumeDriver.List') {
        return '{"Volumes":[' . join(',', map { volume($_) } books()) . '],"Err":""}';
    }
    if ($method =~ /^VolumeDriver\.(Get|Path|Mount|Unmount)$/) {
        return qq({"Err":"no volume $name"}) unless known($name);
        return '{"Volume":' . volume($name) . ',"Err":""}' if $1 eq 'Get';
        if ($1 eq 'Mount') {
            # Volumes of these names are links that try to lead out.
            my $trap = { 'sly-root' => '/etc', 'sly-climb' => '../' x 30 . 'etc' }->{$name};
            if ($trap) { symlink $trap, "$mounts/$name"; return qq({"Mountpoint":"$mounts/$name","Err":""}) }
            mkdir "$mounts/$name";
            return '{"Err":"mount failed"}'
                unless mounted("$mounts/$name") or run('mount', '-t', 'tmpfs', 'demo', "$mounts/$name");
            touch("$mounts/$name/by-plugin", "version $ENV{VERSION} args @ARGV\n");
        }
        if ($1 eq 'Unmount') { run('umount', "$mounts/$name") if mounted("$mounts/$name") }
        return qq({"Mountpoint":"$mounts/$name","Err":""});
    }
    return '{"Allow":true}' if $method eq 'AuthZPlugin.AuthZRes';
    if ($method eq 'AuthZPlugin.AuthZReq') {
        return $body =~ m{"RequestUri":"[^"]*/volumes/create} ? '{"Allow":false,"Msg":"no volumes"}' : '{"Allow":true}';
    }
    return '{"Cap":{"ReadLogs":false}}' if $method eq 'LogDriver.Capabilities';
    if ($method eq 'LogDriver.StartLogging') { log_pump($file); return '{"Err":""}' }
    return '{"Err":""}' if $method eq 'LogDriver.StopLogging';
    return undef;
}

sub run { local $SIG{CHLD} = 'DEFAULT'; system('/bin/busybox', @_) == 0 }

sub mounted {
    my ($path) = @_;
    open my $table, '<', '/proc/self/mounts' or return 0;
    while (<$table>) { return 1 if (split ' ')[1] eq $path }
    return 0;
}

while (1) {
    my $client = $server->accept or next;
    my $request = '';
    while ($request !~ /\r\n\r\n/) { my $got = sysread($client, my $part, 65536); last unless $got; $request .= $part }
    my ($method) = $request =~ m{^POST /(\S+)} or do { close $client; next };
    my ($length) = $request =~ /content-length: *(\d+)/i;
    my ($body) = $request =~ /\r\n\r\n(.*)/s;
    while (length($body) < ($length // 0)) { my $got = sysread($client, $body, 65536, length $body); last unless $got }
    my $said = answer($method, $body);
    my $status = defined $said ? '200 OK' : '404 Not Found';
    $said //= qq({"Err":"no such method"});
    print $client "HTTP/1.1 $status\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "
        . length($said) . "\r\n\r\n$said";
    close $client;
}
