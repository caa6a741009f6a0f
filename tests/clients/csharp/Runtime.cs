using System;
using System.Runtime.InteropServices;

// mono aborts its pool's threads where a program ends, and now and then itself with them.
public static class Runtime
{
    [DllImport("libc", EntryPoint = "_exit")]
    static extern void Exit(int status);

    public static void End()
    {
        Console.Out.Flush();
        Exit(0);
    }
}
