/* SPDX-License-Identifier: MIT
 *
 * strobe in C++11: guards that end with their scope. The functions behind them, and what they do
 * and refuse, are in <strobe/strobe.h>.
 *
 *     #include <strobe/strobe.hpp>
 *
 *     int main()
 *     {
 *         strobe::options o;
 *         o.kinds = "cpu,heap";
 *         strobe::session session(o); // until the end of main
 *         strobe::span span("work");
 *         work();
 *     }
 */
#ifndef STROBE_STROBE_HPP
#define STROBE_STROBE_HPP

#include <stdexcept>
#include <string>

#include <strobe/strobe.h>

namespace strobe {

/* A function failed; what() is strobe_last_error(). */
class error : public std::runtime_error
{
  public:
    explicit error(int code) : std::runtime_error(strobe_last_error()), code_(code) {}
    /* A negative errno. */
    int code() const { return code_; }

  private:
    int code_;
};

/* The defaults, to be changed field by field. */
struct options : strobe_options {
    options() { strobe_options_default(this); }
};

/* strobe_start … strobe_stop. Throws strobe::error if it cannot start. */
class session
{
  public:
    explicit session(const strobe_options &o = options())
    {
        int r = strobe_start(&o);
        if (r != 0)
            throw error(r);
    }
    ~session() { strobe_stop(); }
    session(const session &) = delete;
    session &operator=(const session &) = delete;
};

/* strobe_cpu_start … strobe_cpu_stop. Throws strobe::error if it cannot start. */
class cpu_profile
{
  public:
    explicit cpu_profile(const std::string &path)
    {
        int r = strobe_cpu_start(path.c_str());
        if (r != 0)
            throw error(r);
    }
    ~cpu_profile() { strobe_cpu_stop(); }
    cpu_profile(const cpu_profile &) = delete;
    cpu_profile &operator=(const cpu_profile &) = delete;
};

/* strobe_span_begin … strobe_span_end. */
class span
{
  public:
    explicit span(const std::string &name) : span_(strobe_span_begin(name.c_str())) {}
    ~span() { strobe_span_end(&span_); }
    span(const span &) = delete;
    span &operator=(const span &) = delete;

  private:
    strobe_span span_;
};

/* A profile by name as a string; throws strobe::error, also where there is none of that name. */
inline std::string write(const std::string &name, int debug = 0)
{
    struct to_string {
        static int append(void *to, const void *bytes, size_t size)
        {
            try {
                static_cast<std::string *>(to)->append(static_cast<const char *>(bytes), size);
            } catch (...) {
                return 1;
            }
            return 0;
        }
    };
    std::string out;
    int r = strobe_write(strobe_lookup(name.c_str()), to_string::append, &out, debug);
    if (r != 0)
        throw error(r);
    return out;
}

} // namespace strobe

#endif
