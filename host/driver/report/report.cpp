#include "host/driver/report/report.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "ensyn/ensyn.h"
#include "host/base/message.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/report/gnuplot.h"
#include "host/io/file.h"

namespace ensyn::driver::report {
namespace {

/// Larger pictures go into the page as PNG.
constexpr std::size_t kLargestInlineSvg = 400'000;

class Writer {
 public:
  explicit Writer(std::filesystem::path out) : out_(std::move(out)) {
    create_folder(out_ / "figures");
    create_folder(out_ / "tables");
  }

  /// Why some figure was not drawn; empty where all were.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const std::vector<std::string>& drawn() const { return drawn_; }

  std::string section(const Section& section) {
    std::string html = "<section>\n<h2>" + escaped(section.title) + "</h2>\n";
    for (const std::string& paragraph : section.paragraphs) html += "<p>" + escaped(paragraph) + "</p>\n";
    for (const Figure& one : section.figures) html += figure(one);
    for (const NumberTable& one : section.tables) html += table(one);
    return html + "</section>\n";
  }

 private:
  std::string figure(const Figure& figure) {
    write_csv(out_ / "figures" / (figure.name + ".csv"), to_table(figure));
    const std::string picture = draw(figure);
    return "<figure id=\"" + figure.name + "\">\n" + picture + "\n<figcaption><strong>" +
           escaped(figure.title) + ".</strong> " + escaped(figure.caption) + " (figures/" + figure.name +
           ".svg, .pdf, .png, .csv)</figcaption>\n</figure>\n";
  }

  /// Draws the picture and gives back its HTML. A failure is noted and stands in its place, so that the rest
  /// of the report is made all the same.
  std::string draw(const Figure& figure) {
    if (!gnuplot_.usable()) return "<p>Not drawn: " + escaped(gnuplot_.problem()) + "</p>";
    const auto drawn = [&](Format format, const char* ending) {
      return gnuplot_.run(to_gnuplot(figure, format), figure.name + ending);
    };
    std::string svg, pdf, png;
    try {
      svg = own_svg(drawn(Format::svg, ".svg"), figure);
      pdf = own_pdf(drawn(Format::pdf, ".pdf"));
      png = drawn(Format::png, ".png");
    } catch (const GnuplotError& error) {
      if (problem_.empty()) problem_ = error.what();
      return "<p>Not drawn: " + escaped(error.what()) + "</p>";
    }
    const std::filesystem::path folder = out_ / "figures";
    write_file(folder / (figure.name + ".svg"), svg);
    write_file(folder / (figure.name + ".pdf"), pdf);
    write_file(folder / (figure.name + ".png"), png);
    drawn_.push_back(figure.name);
    return "<div class=\"picture\">" +
           (svg.size() > kLargestInlineSvg ? png_image(png, figure.title, width_on_page(figure))
                                           : inline_svg(svg)) +
           "</div>";
  }

  [[nodiscard]] std::string table(const NumberTable& table) const {
    Table content{{}, table.columns, {table.rows.begin(), table.rows.end()}};
    write_csv(out_ / "tables" / (table.name + ".csv"), content);
    return to_html(table);
  }

  std::filesystem::path out_;
  Gnuplot gnuplot_;
  std::string problem_ = gnuplot_.problem();
  std::vector<std::string> drawn_;
};

/// What of a run's settings the page shows: not where it was computed, so that a report of the same run made
/// elsewhere is the same.
std::string settings_html(const Run& run) {
  nlohmann::ordered_json shown = nlohmann::ordered_json::object();
  for (const auto& [key, value] : run.config.items()) {
    if (!is_about_machine(key)) shown[key] = value;
  }
  std::string text = "<h3>" + escaped(run.name) + "</h3>\n<pre>";
  for (const auto& [key, value] : shown.items()) text += escaped(key + ": " + value.dump()) + "\n";
  if (shown.empty()) text += "no config.json";
  return text + "</pre>\n";
}

/// What was found comes first.
std::string findings_html(const ReportResult& result) {
  if (result.findings.empty()) return "";
  std::string text = "<section id=\"findings\">\n<h2>What was found</h2>\n<ul>\n";
  for (const std::string& finding : result.findings) text += "<li>" + escaped(finding) + "</li>\n";
  return text + "</ul>\n</section>\n";
}

std::string contents(const std::vector<Section>& sections) {
  std::string text = "<nav><ul>\n";
  for (const Section& section : sections) {
    for (const Figure& figure : section.figures) {
      text += "<li><a href=\"#" + figure.name + "\">" + escaped(figure.title) + "</a></li>\n";
    }
  }
  return text + "</ul></nav>\n";
}

std::string missing_html(const ReportResult& result) {
  if (result.missing.empty() && result.left_out.empty()) return "";
  std::string text = "<section>\n<h2>Not in this report</h2>\n<ul>\n";
  for (const Missing& one : result.missing) {
    text += "<li>" + escaped(one.figure) + ": " + escaped(one.reason) + "</li>\n";
  }
  for (const std::string& one : result.left_out) text += "<li>" + escaped(one) + "</li>\n";
  return text + "</ul>\n</section>\n";
}

/// The sections that something could be made of. What they lack goes into `result`. \throws DataError where
/// all that was found is damaged
std::vector<Section> read_sections(const ReportSettings& settings, const std::vector<Run>& runs,
                                   ReportResult& result) {
  const Reference reference = read_reference(settings.reference, result.left_out);
  const std::vector<std::pair<const char*, std::function<Section()>>> makers = {
      {"fig1", [&] { return mechanisms_section(runs); }},
      {"fig2, fig3", [&] { return tradeoff_section(runs, reference); }},
      {"fig5, app5, app6", [&] { return signatures_section(runs, reference); }},
      {"fig6", [&] { return experiments_section(runs); }},
      {"fig7", [&] { return posterior_section(runs); }},
      {"app4", [&] { return regression_section(runs); }}};
  std::vector<Section> sections;
  for (const auto& [figures, make] : makers) {
    try {
      const Section section = make();
      std::ranges::copy(section.missing, std::back_inserter(result.missing));
      std::ranges::copy(section.left_out, std::back_inserter(result.left_out));
      std::ranges::copy(section.findings, std::back_inserter(result.findings));
      if (!section.figures.empty() || !section.tables.empty()) sections.push_back(section);
    } catch (const DataError& error) {
      if (result.damage.empty()) result.damage = error.what();
      result.missing.push_back({figures, error.what()});
    }
  }
  if (std::ranges::all_of(sections, &Section::only_theory) && !result.damage.empty())
    throw DataError(result.damage);
  return sections;
}

}  // namespace

void ReportResult::require_whole(const std::string& where) const {
  if (!damage.empty()) throw DataError(damage + "; " + where + ", without what that file would show");
  if (!problem.empty()) throw Error(problem + "; " + where);
}

ReportResult make_report(const ReportSettings& settings) {
  const std::vector<Run> runs = find_runs(settings.folders);
  ReportResult result;
  const std::vector<Section> sections = read_sections(settings, runs, result);
  Writer writer(settings.out);
  std::string body = "<h1>Energy-efficient synapses</h1>\n" + findings_html(result) + "<p>Made by ensyn " +
                     escaped(build_info().version) + " from " + std::to_string(runs.size()) +
                     (runs.size() == 1 ? " run" : " runs") +
                     ", after Malkin, O'Donnell, Houghton and Aitchison, “Signatures of Bayesian inference "
                     "emerge from energy-efficient synapses” (eLife 2024, RP92595).</p>\n" +
                     contents(sections);
  for (const Section& section : sections) body += writer.section(section);
  body += missing_html(result);
  body += "<section>\n<h2>Configuration and seeds</h2>\n";
  for (const Run& run : runs) body += settings_html(run);
  body += "</section>\n";
  write_file(settings.out / "report.html", page("ensyn report", body));
  result.figures = writer.drawn();
  result.problem = writer.problem();
  return result;
}

std::string to_text(const ReportResult& result, const std::filesystem::path& out) {
  std::string text;
  for (const std::string& name : result.figures) text += (text.empty() ? "figures     " : ", ") + name;
  if (!text.empty()) text += "\n";
  for (const Missing& one : result.missing)
    text += "not made    " + one.figure + ": " + printable(one.reason) + "\n";
  for (const std::string& one : result.left_out) text += "left out    " + printable(one) + "\n";
  text += "files       " + (out / "report.html").string() + ", figures/ and tables/ beside it\n";
  for (const std::string& finding : result.findings) text += "found       " + printable(finding) + "\n";
  return text;
}

nlohmann::ordered_json to_json(const ReportResult& result, const std::filesystem::path& out) {
  nlohmann::ordered_json missing = nlohmann::ordered_json::array();
  for (const Missing& one : result.missing)
    missing.push_back({{"figure", one.figure}, {"reason", one.reason}});
  return {{"report", (out / "report.html").string()},
          {"figures", result.figures},
          {"findings", result.findings},
          {"missing", missing},
          {"left_out", result.left_out}};
}

}  // namespace ensyn::driver::report
